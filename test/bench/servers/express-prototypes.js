import { IncomingMessage, ServerResponse } from 'node:http'

/**
 * Requests and responses of an Express app that have its prototypes from the start. Express changes the prototype of
 * each one otherwise, which Node 20 and 22 pay for in every later access.
 *
 * JavaScript, as TypeScript has no honest type for a function that is a class.
 */
export const expressPrototypes = (app) => ({
  IncomingMessage: withPrototype(IncomingMessage, app.request),
  ServerResponse: withPrototype(ServerResponse, app.response),
})

function withPrototype(Base, prototype) {
  function Message(...args) {
    Base.apply(this, args)
  }
  Message.prototype = prototype
  return Message
}
