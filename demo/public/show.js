const section = document.querySelector('#show')
const button = document.querySelector('#show-upload')
const news = document.querySelector('#show-news')
const WORDS = {
  started: 'It starts. See "Active uploads".',
  running: 'An upload is being shown already.',
}

/** Shows whether the demo can start an upload now. */
export async function showReadiness() {
  const response = await fetch('/show')
  const { state } = await response.json()
  section.hidden = state === 'unavailable'
  const isRunning = state === 'running'
  // It keeps the focus, which a disabled button would lose.
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
