/**
 * Shows the dashboard inside another page of the same site, which must have an element `#connection`.
 *
 * @param place the element to put it in.
 */
export async function embedDashboard(place) {
  const response = await fetch(new URL('./', import.meta.url))
  const page = new DOMParser().parseFromString(await response.text(), 'text/html')
  place.replaceChildren(document.importNode(page.querySelector('#dashboard'), true))
  await import('./live.js')
}
