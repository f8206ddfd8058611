import { bytes, time } from '/live/format.js'

const table = document.querySelector('#files')
const empty = document.querySelector('#no-files')
const template = document.querySelector('#file-row')
let latest = 0
/** The listing currently shown, as JSON. */
let shown = ''

/** Fetches the listing and shows it. */
export async function showFiles() {
  const turn = ++latest
  const response = await fetch('/uploads/')
  if (!response.ok) throw new Error(`The listing cannot be read: ${response.status}.`)
  const text = await response.text()
  // A later call has newer data.
  if (turn !== latest || text === shown) return
  shown = text
  const files = JSON.parse(text)
  table.tBodies[0].replaceChildren(...files.map(rowOf))
  table.hidden = files.length === 0
  empty.hidden = files.length > 0
}

function rowOf({ name, url, size, modified }) {
  const row = template.content.firstElementChild.cloneNode(true)
  const link = row.querySelector('a')
  link.textContent = name
  link.href = url
  row.querySelector('.size').textContent = bytes(size)
  const when = row.querySelector('time')
  when.dateTime = modified
  when.textContent = time(new Date(modified))
  return row
}
