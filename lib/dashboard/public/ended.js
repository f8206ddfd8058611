import { bytes, time } from './format.js'

/** Maximum number of uploads shown. */
const KEPT = 20
const WORDS = {
  uploaded: 'uploaded',
  cancelled: 'cancelled',
  expired: 'expired',
  refused: 'refused by the application',
  failed: 'failed, the client tries again',
}

const table = document.querySelector('#ended')
const empty = document.querySelector('#no-ended')
const news = document.querySelector('#news')
const template = document.querySelector('#ended-row')
/** Rows by upload id. */
const rows = new Map()

/** Adds finished and failed uploads, latest first; a snapshot replaces all. */
export function showEnded(uploads, isSnapshot) {
  if (isSnapshot) for (const uploadId of [...rows.keys()]) remove(uploadId)
  for (const upload of [...uploads].reverse()) {
    remove(upload.uploadId)
    const row = rowOf(upload)
    rows.set(upload.uploadId, row)
    table.tBodies[0].prepend(row)
  }
  for (const uploadId of [...rows.keys()].slice(0, -KEPT)) remove(uploadId)
  table.hidden = rows.size === 0
  empty.hidden = rows.size > 0
  const [latest] = uploads
  if (latest && !isSnapshot) news.textContent = `${latest.name}: ${WORDS[latest.outcome]}`
}

function rowOf({ name, user = 'guest', outcome, received, at, href, digest }) {
  const row = template.content.firstElementChild.cloneNode(true)
  const part = (selector) => row.querySelector(selector)
  row.dataset.outcome = outcome
  part('.name').prepend(href === undefined ? name : linkTo(href, name))
  part('.digest').textContent = digest ?? ''
  part('.outcome').textContent = WORDS[outcome]
  part('.user').textContent = user
  part('.amount').textContent = bytes(received)
  const when = part('time')
  when.dateTime = new Date(at).toISOString()
  when.textContent = time(new Date(at))
  return row
}

function linkTo(href, name) {
  const link = document.createElement('a')
  link.href = href
  link.textContent = name
  return link
}

function remove(uploadId) {
  rows.get(uploadId)?.remove()
  rows.delete(uploadId)
}
