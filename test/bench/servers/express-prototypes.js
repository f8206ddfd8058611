import { IncomingMessage, ServerResponse } from 'node:http'

/**
 * Creates requests and responses with the prototypes of an Express app. Express otherwise changes the prototype of each
 * one, which slows down every later access in Node 20 and 22.
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
