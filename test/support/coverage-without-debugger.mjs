import { Session } from 'node:inspector'

/**
 * Jest enables V8's debugger for each test file whose coverage it collects. V8 then describes every script of the
 * process, with a hash of its source, which takes a third of a second of CPU time or more; coverage needs none of it.
 */
const post = Session.prototype.post
Session.prototype.post = function (method, ...args) {
  if (method !== 'Debugger.enable' && method !== 'Debugger.disable') return post.call(this, method, ...args)
  const callback = args.at(-1)
  if (typeof callback === 'function') callback(null, {})
}
