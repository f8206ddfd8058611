import { enableActions } from './actions.js'
import { showActive, showAllActive } from './active.js'
import { showThroughput } from './chart.js'
import { showEnded } from './ended.js'
import { showTotals } from './totals.js'
import { refreshSessions } from './waiting.js'

/** Where the dashboard is mounted, with a slash at the end. */
const BASE = new URL('./', import.meta.url)

const connection = document.querySelector('#connection')

function showConnection(state, text) {
  connection.dataset.state = state
  connection.textContent = text
}

function show({ totals, throughput, ended }, isSnapshot) {
  showTotals(totals)
  showThroughput(throughput)
  showEnded(ended, isSnapshot)
}

/** The browser reconnects by itself, unless the stream was answered with an error. */
function listen() {
  const events = new EventSource(new URL('events', BASE))
  events.addEventListener('snapshot', ({ data }) => {
    const frame = JSON.parse(data)
    showConnection('live', 'Live')
    enableActions(frame.actions)
    show(frame, true)
    showAllActive(frame.sessions, frame.totals.active)
    void refreshSessions()
  })
  events.addEventListener('update', ({ data }) => {
    const changes = JSON.parse(data)
    show(changes, false)
    showActive(changes)
  })
  events.addEventListener('error', () => {
    showConnection('lost', 'Reconnecting …')
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 2000)
  })
}

listen()
