import { bytes } from './format.js'

/** Ended sessions that stay in view. */
const KEPT = 10
/** Milliseconds without news after which a session is said to wait. */
const SILENCE = 4000
/** States that may still change: after a refusal too, the client may try again. */
const OPEN = new Set(['receiving', 'refused'])

const list = document.querySelector('#sessions')
const empty = document.querySelector('#no-sessions')
const news = document.querySelector('#news')
const template = document.querySelector('#session')
/** Rows by upload id: `{ session, element, at }`. */
const rows = new Map()

/** All sessions of the server. Rows of sessions that ended while nobody told us go; those seen to end stay. */
export function showSnapshot(sessions) {
  const present = new Set(sessions.map(({ uploadId }) => uploadId))
  for (const [id, { session }] of rows) {
    if (OPEN.has(session.state) && !present.has(id)) remove(id)
  }
  for (const session of sessions) showSession(session)
  empty.hidden = rows.size > 0
}

/** One session as it is now. */
export function showSession(session) {
  const row = rows.get(session.uploadId) ?? addRow(session)
  if (row.session.state !== session.state) news.textContent = `${session.name}: ${session.state}`
  row.session = session
  row.at = Date.now()
  draw(row)
  dropOldest()
  empty.hidden = true
}

setInterval(() => {
  for (const row of rows.values()) draw(row)
}, 1000)

function addRow(session) {
  const element = template.content.firstElementChild.cloneNode(true)
  list.prepend(element)
  const row = { session, element, at: 0 }
  rows.set(session.uploadId, row)
  return row
}

function draw({ session, element, at }) {
  const { name, received, total, rate, state, who } = session
  const part = (selector) => element.querySelector(selector)
  const moving = state === 'receiving' && rate > 0 && Date.now() - at < SILENCE
  const percent = percentOf(session)
  element.dataset.state = state
  part('.name').textContent = name
  part('.state').textContent = state === 'receiving' && !moving ? 'receiving, waiting' : state
  part('.percent').textContent = percent === undefined ? '' : `${percent}%`
  part('.amount').textContent =
    total === undefined ? bytes(received) : `${bytes(received)} of ${bytes(total)}`
  part('.rate').textContent = moving ? `${bytes(rate)}/s` : '–'
  part('.who').textContent = who
  const bar = part('progress')
  bar.setAttribute('aria-label', `Received of ${name}`)
  bar.value = percent ?? 0
}

/** Whole percents, 100 only when all is in; `undefined` while the size is not known. */
function percentOf({ received, total, state }) {
  if (state === 'published' || state === 'refused') return 100
  if (total === undefined) return undefined
  return total === 0 ? 0 : Math.min(99, Math.floor((received * 100) / total))
}

function dropOldest() {
  const ended = [...rows].filter(([, { session }]) => session.state !== 'receiving')
  for (const [id] of ended.slice(0, -KEPT)) remove(id)
}

function remove(id) {
  rows.get(id).element.remove()
  rows.delete(id)
}
