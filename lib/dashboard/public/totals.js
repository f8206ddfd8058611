import { bytes } from './format.js'

const part = (id) => document.querySelector(`#${id}`)

export function showTotals({ active, waiting, rate, files, bytes: size, unlisted }) {
  part('total-active').textContent = active.toLocaleString()
  part('total-waiting').textContent = waiting.toLocaleString()
  part('total-rate').textContent = `${bytes(rate)}/s`
  part('total-files').textContent = files.toLocaleString()
  part('total-bytes').textContent = bytes(size)
  part('unlisted').hidden = !unlisted
}
