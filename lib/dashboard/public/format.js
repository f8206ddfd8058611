const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** `67108864` becomes `64.0 MiB`. */
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

/** A number of seconds for humans: `45 s`, `3 min`, `2 h 5 min`, `4 d`. */
export function duration(seconds) {
  if (seconds < 60) return `${Math.max(Math.round(seconds), 0)} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`
  return `${Math.round(hours / 24)} d`
}

/** Whole percents, 100 only when all bytes are received; `undefined` while the size is unknown. */
export function percent({ received, total }) {
  if (total === undefined) return undefined
  if (received >= total) return 100
  return Math.min(99, Math.floor((received * 100) / total))
}

/** Received bytes, with the size if it is known. */
export const amount = ({ received, total }) =>
  total === undefined ? bytes(received) : `${bytes(received)} of ${bytes(total)}`
