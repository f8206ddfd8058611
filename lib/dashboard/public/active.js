import { offerCancel } from './actions.js'
import { amount, bytes, duration, percent } from './format.js'

const list = document.querySelector('#sessions')
const empty = document.querySelector('#no-sessions')
const more = document.querySelector('#more-sessions')
const template = document.querySelector('#session')
/** `{ session, element }` by upload id. */
const rows = new Map()

/** Replaces all sessions. */
export function showAllActive(sessions, count) {
  const present = new Set(sessions.map(({ uploadId }) => uploadId))
  const gone = [...rows.keys()].filter((uploadId) => !present.has(uploadId))
  showActive({ sessions: [...sessions].reverse(), gone, totals: { active: count } })
}

/** Applies changes: new sessions in full, of others the changed fields. */
export function showActive({ sessions, gone, totals }) {
  for (const uploadId of gone) {
    const element = rows.get(uploadId)?.element
    if (element?.contains(document.activeElement)) document.querySelector('#sessions-title').focus()
    element?.remove()
    rows.delete(uploadId)
  }
  for (const changes of sessions) {
    const row = rows.get(changes.uploadId) ?? addRow(changes.uploadId)
    Object.assign(row.session, changes)
    draw(row)
  }
  empty.hidden = rows.size > 0
  more.hidden = totals.active <= rows.size
  more.textContent = `${totals.active - rows.size} more active uploads are in the list of open sessions.`
}

function addRow(uploadId) {
  const element = template.content.firstElementChild.cloneNode(true)
  list.prepend(element)
  const row = { session: {}, element }
  rows.set(uploadId, row)
  return row
}

function draw({ session, element }) {
  const { name, user = 'guest', received, total, rate, address = '–', fragmentSize } = session
  const part = (selector) => element.querySelector(selector)
  const done = percent(session)
  part('.name').textContent = name
  part('.percent').textContent = done === undefined ? '' : `${done}%`
  part('.amount').textContent = amount(session)
  part('.rate').textContent = rate > 0 ? `${bytes(rate)}/s` : '–'
  part('.left').textContent = rate > 0 && total !== undefined ? duration((total - received) / rate) : '–'
  part('.user').textContent = user
  part('.address').textContent = address
  part('.fragment').textContent = fragmentSize === undefined ? '–' : bytes(fragmentSize)
  offerCancel(part('.cancel'), session)
  const bar = part('progress')
  bar.setAttribute('aria-label', `Received of ${name}`)
  bar.value = done ?? 0
}
