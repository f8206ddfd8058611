import { uploadFile } from '/browser.js'
import { bytes, percent } from '/live/format.js'
import { showFiles } from './files.js'
import { noteUnfinished, unfinishedUpload } from './unfinished.js'

const form = document.querySelector('#upload')
const input = document.querySelector('#file')
const main = document.querySelector('#upload-main')
const cancel = document.querySelector('#upload-cancel')
const bar = document.querySelector('#upload-bar')
const news = document.querySelector('#upload-news')
const FATAL = {
  403: (name) => `The server does not accept ${name}: it may have a file of that name already.`,
  413: (name) => `The server does not accept ${name}: it is too large.`,
}

/** The current upload: `{ stop, ended }`. */
let running

const urlOf = (name) => `/uploads/${encodeURIComponent(name)}`

/** @param state what the main button does next: `Upload`, `Pause` or `Resume`. */
function show(state, text) {
  main.textContent = state
  input.disabled = state === 'Pause'
  if (state === 'Upload' && cancel === document.activeElement) main.focus()
  cancel.hidden = state === 'Upload'
  if (state === 'Upload') bar.hidden = true
  news.textContent = text
}

function showProgress({ name, acknowledged, total }) {
  const done = percent({ received: acknowledged, total })
  const progress = bar.querySelector('progress')
  progress.value = done
  progress.setAttribute('aria-label', `Uploaded of ${name}`)
  bar.querySelector('.percent').textContent = `${done}%`
  bar.hidden = false
}

const doneOf = ({ acknowledged, total }) => `${percent({ received: acknowledged, total })}%`

async function run(file, signal) {
  const { name } = file
  show('Pause', `Uploading ${name} …`)
  try {
    const result = await uploadFile(file, urlOf(name), {
      signal,
      // The upload continues when it is resumed.
      cancelOnAbort: false,
      onProgress({ acknowledged, total }) {
        const upload = { name, acknowledged, total }
        noteUnfinished(upload)
        showProgress(upload)
        if (!signal.aborted) news.textContent = `Uploading ${name} …`
      },
      onFailure({ delay }) {
        if (delay === undefined) return
        news.textContent = `The connection is lost. Trying again in ${(delay / 1000).toFixed(1)} s.`
      },
    })
    noteUnfinished(undefined)
    form.reset()
    show('Upload', `${name} has arrived: ${bytes(result.bytes)}.`)
    await showFiles().catch(() => {})
  } catch (error) {
    if (signal.aborted)
      show('Resume', `Paused at ${doneOf(unfinishedUpload() ?? { acknowledged: 0, total: file.size })}.`)
    else if (error.fatal) fail(file, error)
    else show('Resume', error.message)
  }
}

function fail({ name }, error) {
  noteUnfinished(undefined)
  const refused = error.context === 'server application'
  const explain = refused ? () => `The server could not read ${name}: see its reply.` : FATAL[error.status]
  show('Upload', explain?.(name) ?? error.message)
}

/** Ends the session on the server, whose id a resumed upload knows. */
async function cancelUpload(file) {
  const stop = new AbortController()
  let isCancelled = true
  const resumed = uploadFile(file, urlOf(file.name), {
    signal: stop.signal,
    onFailure() {
      isCancelled = false
    },
  })
  stop.abort()
  await resumed.catch(() => {})
  noteUnfinished(undefined)
  show(
    'Upload',
    isCancelled ? 'Cancelled.' : 'Stopped, but the server did not answer: it keeps what has arrived for now.',
  )
}

form.addEventListener('submit', (event) => {
  event.preventDefault()
  if (running) return running.stop.abort()
  const stop = new AbortController()
  const ended = run(input.files[0], stop.signal).finally(() => {
    running = undefined
  })
  running = { stop, ended }
})

cancel.addEventListener('click', async () => {
  const [file] = input.files
  running?.stop.abort()
  await running?.ended
  // The upload may have finished in the meantime.
  if (unfinishedUpload()) await cancelUpload(file)
})

input.addEventListener('change', () => {
  const [file] = input.files
  const unfinished = unfinishedUpload()
  if (!file || file.name !== unfinished?.name || file.size !== unfinished.total) return show('Upload', '')
  showProgress(unfinished)
  show('Resume', `${file.name} is uploaded to ${doneOf(unfinished)}.`)
})

// The limit belongs to the form, which is for browsers without scripts.
document.querySelector('#form-limit').remove()
const unfinished = unfinishedUpload()
if (unfinished) {
  news.textContent = `${unfinished.name} is uploaded to ${doneOf(unfinished)}. Choose the same file again to continue.`
}
