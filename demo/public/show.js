const section = document.querySelector('#show')
const button = document.querySelector('#show-upload')
const news = document.querySelector('#show-news')
const WORDS = {
  started: 'It starts. See "Active uploads".',
  running: 'An upload is being shown already.',
}

/** Enables the button when the demo can start an upload. */
export async function showReadiness() {
  const response = await fetch('/show')
  const { state } = await response.json()
  section.hidden = state === 'unavailable'
  const isRunning = state === 'running'
  // A disabled button would lose the focus.
  button.setAttribute('aria-disabled', String(isRunning))
  if (!isRunning && news.textContent === WORDS.running) news.textContent = ''
}

button.addEventListener('click', async () => {
  const request = { method: 'POST', headers: { 'X-BITS-Demo': '1' } }
  const response = await fetch('/show', request).catch(() => undefined)
  const body = await response?.json().catch(() => undefined)
  news.textContent = WORDS[body?.result] ?? 'The server did not start it.'
  await showReadiness().catch(() => {})
})
