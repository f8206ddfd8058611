const UNITS = ['bytes', 'KB', 'MB', 'GB', 'TB', 'PB']

/** `67108864` becomes `64.0 MB`, as Windows counts. */
export function bytes(count) {
  const power = count < 1 ? 0 : Math.min(Math.floor(Math.log2(count) / 10), UNITS.length - 1)
  return `${(count / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${UNITS[power]}`
}

/** Today's times without their date. */
export function time(date) {
  const today = date.toDateString() === new Date().toDateString()
  return today
    ? date.toLocaleTimeString([], { timeStyle: 'short' })
    : date.toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' })
}
