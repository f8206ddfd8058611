const KEY = 'unfinished-upload'

/** `{ name, acknowledged, total }` of the upload that this browser has begun and not finished, also after a reload. */
export function unfinishedUpload() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? undefined
  } catch {
    return undefined
  }
}

/** @param upload `undefined` when none is unfinished. */
export function noteUnfinished(upload) {
  try {
    if (upload) localStorage.setItem(KEY, JSON.stringify(upload))
    else localStorage.removeItem(KEY)
  } catch {
    // Without storage, an upload does not continue after a reload.
  }
}
