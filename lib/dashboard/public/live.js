import { showSession, showSnapshot } from './sessions.js'

const connection = document.querySelector('#connection')

function showConnection(state, text) {
  connection.dataset.state = state
  connection.textContent = text
}

/** A browser gives up on a stream that was answered with an error: then it is opened anew. */
function listen() {
  const events = new EventSource('./events')
  events.addEventListener('snapshot', ({ data }) => {
    showConnection('live', 'Live')
    showSnapshot(JSON.parse(data))
  })
  events.addEventListener('session', ({ data }) => showSession(JSON.parse(data)))
  events.addEventListener('error', () => {
    showConnection('lost', 'Reconnecting …')
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 2000)
  })
}

listen()
