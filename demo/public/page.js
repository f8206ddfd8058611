import { embedDashboard } from '/live/embed.js'
import { showAnswers } from './answers.js'
import { showFiles } from './files.js'
import { showReadiness } from './show.js'

/** Milliseconds between two updates of everything except the dashboard. */
const INTERVAL = 1000

for (const place of document.querySelectorAll('.origin')) place.textContent = location.origin

async function refresh() {
  if (document.hidden) return
  // Nothing can be read while the server restarts; the page shows the state of the connection.
  await Promise.all([showFiles(), showAnswers(), showReadiness()]).catch(() => {})
}

await embedDashboard(document.querySelector('#live'))
await refresh()
setInterval(refresh, INTERVAL)
