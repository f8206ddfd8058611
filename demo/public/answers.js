const list = document.querySelector('#answers')
const none = document.querySelector('#no-answers')
const news = document.querySelector('#answer-news')
const template = document.querySelector('#answer')
/** The answers currently shown, as JSON. */
let shown = '[]'

/** Fetches the answers of the server application and shows them, the latest first. */
export async function showAnswers() {
  const response = await fetch('/answers')
  if (!response.ok) throw new Error(`The answers cannot be read: ${response.status}.`)
  const text = await response.text()
  if (text === shown) return
  shown = text
  const answers = JSON.parse(text)
  list.replaceChildren(...answers.map(elementOf).reverse())
  none.hidden = answers.length > 0
  const latest = answers.at(-1)
  if (latest) news.textContent = `${latest.name}: ${latest.state}`
}

function elementOf({ name, state, text }) {
  const element = template.content.firstElementChild.cloneNode(true)
  const part = (selector) => element.querySelector(selector)
  element.dataset.state = state
  part('.name').textContent = name
  part('.state').textContent = state
  part('.text').textContent = text
  return element
}
