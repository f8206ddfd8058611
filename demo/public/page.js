import { showAnswer } from './answers.js'
import { showFiles } from './files.js'
import { showSession, showSnapshot } from './sessions.js'

const connection = document.querySelector('#connection')

for (const place of document.querySelectorAll('.origin')) place.textContent = location.origin

/** A listing that fails now is fetched again with the next event, or when the connection is back. */
const refreshFiles = () => showFiles().catch((error) => console.warn(error.message))

function showConnection(state, text) {
  connection.dataset.state = state
  connection.textContent = text
}

/** A browser gives up on a stream that was answered with an error: then it is opened anew. */
function listen() {
  const events = new EventSource('/events')
  events.addEventListener('snapshot', ({ data }) => {
    showConnection('live', 'Live')
    showSnapshot(JSON.parse(data))
    void refreshFiles()
  })
  events.addEventListener('session', ({ data }) => showSession(JSON.parse(data)))
  events.addEventListener('answer', ({ data }) => showAnswer(JSON.parse(data)))
  events.addEventListener('files', refreshFiles)
  events.addEventListener('error', () => {
    showConnection('lost', 'Reconnecting …')
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 2000)
  })
}

listen()
