const KEY = 'unfinished-upload'

/** `{ name, acknowledged, total }` of the upload that this browser has started but not finished. Survives a reload. */
export function unfinishedUpload() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? undefined
  } catch {
    return undefined
  }
}

/** @param upload `undefined` to clear it. */
export function noteUnfinished(upload) {
  try {
    if (upload) localStorage.setItem(KEY, JSON.stringify(upload))
    else localStorage.removeItem(KEY)
  } catch {
    // Without storage, an upload cannot be resumed after a reload.
  }
}
