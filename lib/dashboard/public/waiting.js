import { offerCancel } from './actions.js'
import { amount, duration } from './format.js'

/** Where the dashboard is mounted, with a slash at the end. */
const BASE = new URL('./', import.meta.url)
/** Milliseconds between two readings of the list. */
const INTERVAL = 5000
/** Milliseconds to wait for more characters of the filter. */
const TYPING = 300

const table = document.querySelector('#open-sessions')
const empty = document.querySelector('#no-open-sessions')
const paging = document.querySelector('#paging')
const position = document.querySelector('#position')
const template = document.querySelector('#open-session')
const filter = document.querySelector('#filter')
const state = document.querySelector('#state')
const previous = document.querySelector('#previous')
const next = document.querySelector('#next')
let page = 1
let latest = 0
let typing

/** Reads the current page of the list again. */
export async function refreshSessions() {
  latest += 1
  const turn = latest
  const url = new URL('sessions', BASE)
  url.search = new URLSearchParams({ filter: filter.value, state: state.value, page })
  const response = await fetch(url).catch(() => undefined)
  // A later call has newer data; a failed one is repeated soon.
  if (!response?.ok || turn !== latest) return
  const list = await response.json()
  if (turn === latest) show(list)
}

function show({ sessions, matches, page: shown, pages, now }) {
  page = shown
  const focused = table.contains(document.activeElement) ? document.activeElement.dataset.uploadId : undefined
  table.tBodies[0].replaceChildren(...sessions.map((session) => rowOf(session, now)))
  if (focused !== undefined) refocus(focused)
  table.hidden = sessions.length === 0
  empty.hidden = sessions.length > 0
  empty.textContent = filter.value === '' ? 'None at the moment.' : 'No session matches the filter.'
  paging.hidden = pages === 1
  position.textContent = `Page ${shown} of ${pages}, ${matches.toLocaleString()} sessions`
  setDisabled(previous, shown === 1)
  setDisabled(next, shown === pages)
}

/** The row that had the focus is now a different element, or was removed. */
function refocus(uploadId) {
  const button =
    table.querySelector(`[data-upload-id="${uploadId}"]`) ?? document.querySelector('#open-title')
  button.focus({ preventScroll: true })
}

/** Not by the attribute `disabled`, which would take the focus away. */
const setDisabled = (button, disabled) => button.setAttribute('aria-disabled', String(disabled))

function rowOf(session, now) {
  const row = template.content.firstElementChild.cloneNode(true)
  const part = (selector) => row.querySelector(selector)
  part('.name').textContent = session.name
  part('.user').textContent = session.user ?? 'guest'
  part('.address').textContent = session.address ?? '–'
  part('.amount').textContent = amount(session)
  const heard = part('time')
  heard.dateTime = new Date(session.heard).toISOString()
  heard.textContent = `${duration((now - session.heard) / 1000)} ago`
  offerCancel(part('.cancel'), session)
  return row
}

function turnTo(button, change) {
  if (button.getAttribute('aria-disabled') === 'true') return
  page += change
  void refreshSessions()
}

filter.addEventListener('input', () => {
  clearTimeout(typing)
  page = 1
  typing = setTimeout(refreshSessions, TYPING)
})
state.addEventListener('change', () => {
  page = 1
  void refreshSessions()
})
previous.addEventListener('click', () => turnTo(previous, -1))
next.addEventListener('click', () => turnTo(next, 1))
document.addEventListener('bits-action', refreshSessions)
setInterval(() => {
  if (!document.hidden) void refreshSessions()
}, INTERVAL)
