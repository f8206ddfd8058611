import { embedDashboard } from '/live/embed.js'
import { showAnswers } from './answers.js'
import { showFiles } from './files.js'
import { showReadiness } from './show.js'

/** Milliseconds between two updates of what is not on the dashboard. */
const INTERVAL = 1000

for (const place of document.querySelectorAll('.origin')) place.textContent = location.origin

async function refresh() {
  if (document.hidden) return
  // While the server restarts nothing can be read; the connection's state is on the page.
  await Promise.all([showFiles(), showAnswers(), showReadiness()]).catch(() => {})
}

await embedDashboard(document.querySelector('#live'))
await refresh()
setInterval(refresh, INTERVAL)
