/** Where the dashboard is mounted, with a slash at the end. */
const BASE = new URL('./', import.meta.url)
const WORDS = {
  cancelled: 'cancelled',
  published: 'already published, so it was not cancelled',
  'not-found': 'has ended already',
}

const dialog = document.querySelector('#confirmation')
const question = document.querySelector('#question')
const confirm = document.querySelector('#confirm')
const news = document.querySelector('#action-news')
const sweep = document.querySelector('#sweep')
let isEnabled = false
/** Called after "yes". */
let confirmed = () => {}

/** Shows the buttons, if the dashboard has actions. */
export function enableActions(enabled) {
  isEnabled = enabled
  sweep.hidden = !enabled
  document.querySelector('#action-column').hidden = !enabled
}

/** Shows the button that cancels a session, for an element made from a template. */
export function offerCancel(button, { uploadId, name }) {
  const cell = button.closest('td')
  if (cell) cell.hidden = !isEnabled
  button.hidden = !isEnabled
  button.dataset.uploadId = uploadId
  button.setAttribute('aria-label', `Cancel ${name}`)
  button.onclick = () =>
    ask(
      `Cancel the upload of ${name}? Its bytes are deleted, and its client cannot continue.`,
      'Cancel upload',
      () => cancel(uploadId, name),
    )
}

function ask(text, yes, action) {
  question.textContent = text
  confirm.textContent = yes
  confirmed = action
  dialog.showModal()
}

async function cancel(uploadId, name) {
  const result = await post(`cancel/${uploadId}`)
  news.textContent = `${name}: ${WORDS[result] ?? 'could not be cancelled, the log of the server may say why'}`
}

async function removeExpired() {
  const result = await post('sweep')
  news.textContent =
    result === 'swept'
      ? 'Expired sessions are removed.'
      : 'Expired sessions could not be removed. The log of the server may say why.'
}

async function post(path) {
  const request = { method: 'POST', headers: { 'X-BITS-Dashboard': '1' } }
  const response = await fetch(new URL(path, BASE), request).catch(() => undefined)
  const body = await response?.json().catch(() => undefined)
  return body?.result
}

sweep.addEventListener('click', () =>
  ask(
    'Remove the sessions that have been idle for longer than the session timeout? Their bytes are deleted.',
    'Remove sessions',
    removeExpired,
  ),
)
confirm.addEventListener('click', async () => {
  dialog.close()
  confirm.disabled = true
  await confirmed()
  confirm.disabled = false
  document.dispatchEvent(new Event('bits-action'))
})
document.querySelector('#keep').addEventListener('click', () => dialog.close())
