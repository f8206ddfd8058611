import { bytes } from './format.js'

/** Seconds that one bar stands for. */
const SECONDS = 5
/** Units of the drawing, as in its viewBox. */
const WIDTH = 600
const HEIGHT = 80

const area = document.querySelector('#throughput-area')
const description = document.querySelector('#throughput-description')
/** Bytes by bar number. */
let bars = new Map()
let count = 120

/** Takes the bars that end with the number `last`; a snapshot has all of them, an update the latest. */
export function showThroughput({ last, bytes: latest }) {
  if (latest.length >= count) {
    count = latest.length
    bars = new Map()
  }
  latest.forEach((size, index) => {
    bars.set(last - latest.length + 1 + index, size)
  })
  for (const number of bars.keys()) if (number <= last - count) bars.delete(number)
  draw(last)
}

function draw(last) {
  const sizes = Array.from({ length: count }, (_, index) => bars.get(last - count + 1 + index) ?? 0)
  const peak = Math.max(...sizes)
  const step = WIDTH / count
  const path = sizes.map((size, index) => {
    const y = peak === 0 ? HEIGHT : HEIGHT - (size / peak) * (HEIGHT - 2)
    return `H${(index * step).toFixed(1)}V${y.toFixed(1)}H${((index + 1) * step).toFixed(1)}`
  })
  area.setAttribute('d', `M0 ${HEIGHT}${path.join('')}V${HEIGHT}Z`)
  description.textContent =
    peak === 0 ? 'nothing received.' : `peak ${bytes(peak / SECONDS)}/s, ${bytes(sum(sizes))} received.`
}

const sum = (sizes) => sizes.reduce((total, size) => total + size, 0)
