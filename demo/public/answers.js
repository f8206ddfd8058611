/** Answers that stay in view. */
const KEPT = 10

const list = document.querySelector('#answers')
const none = document.querySelector('#no-answers')
const news = document.querySelector('#answer-news')
const template = document.querySelector('#answer')
/** Elements by session id, the latest last. */
const elements = new Map()

/** What the server application said of an upload; after a reconnection it may be told again. */
export function showAnswer({ id, name, state, text }) {
  const element = elements.get(id) ?? template.content.firstElementChild.cloneNode(true)
  const part = (selector) => element.querySelector(selector)
  if (part('.text').textContent === text) return
  element.dataset.state = state
  part('.name').textContent = name
  part('.state').textContent = state
  part('.text').textContent = text
  news.textContent = `${name}: ${state}`
  elements.delete(id)
  elements.set(id, element)
  list.prepend(element)
  for (const oldest of [...elements.keys()].slice(0, -KEPT)) remove(oldest)
  none.hidden = true
}

function remove(id) {
  elements.get(id).remove()
  elements.delete(id)
}
