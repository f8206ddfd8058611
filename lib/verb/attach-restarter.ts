import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { property } from '../util/property.js'
import { isNodeParser, type NodeParser, type ParserResult, slotsOf } from './node-parser.js'
import { parserArguments } from './parser-arguments.js'
import type { Http1Server } from './patch-server.js'
import { VerbRestarter } from './verb-restarter.js'

/**
 * By the `onIncoming` of their parsers, which Node removes when it puts a parser back into its pool. Other properties
 * set on a parser stay there when it is reused, perhaps for a connection of another server, and then have no effect.
 */
const restarters = new WeakMap<object, VerbRestarter>()

/**
 * Puts a {@link VerbRestarter} between the parser of a connection and Node. There is no listener on the socket, so that
 * the parser continues to read from it by itself.
 *
 * @returns whether the connection has a parser of the kind that this knows.
 */
export function attachRestarter(server: Http1Server, socket: Duplex): boolean {
  const parser = property(socket, 'parser')
  const slots = isNodeParser(parser) ? slotsOf(parser) : undefined
  if (!isNodeParser(parser) || !slots) return false
  const { onIncoming } = parser
  const onExecute = parser[slots.kOnExecute]
  if (!onIncoming || !isCallback(onExecute)) return false
  if (restarters.has(onIncoming)) return true

  const native = nativeOf(parser)
  const restarter = new VerbRestarter({
    execute: (bytes) => native.execute.call(parser, bytes),
    finish: () => native.finish.call(parser),
    getCurrentBuffer: () => native.getCurrentBuffer.call(parser),
    restart() {
      parser.remove()
      parser.initialize(...parserArguments(server, socket))
    },
  })
  const onIncomingRequest = (request: IncomingMessage, keepAlive: boolean) => {
    restarter.onIncoming(request)
    return onIncoming.call(parser, request, keepAlive)
  }
  restarters.set(onIncomingRequest, restarter)
  parser.onIncoming = onIncomingRequest
  parser[slots.kOnMessageBegin] = () => restarter.onMessageBegin()
  parser[slots.kOnExecute] = (result: ParserResult) => restarter.onExecute(result, onExecute)
  Object.assign(parser, RESTARTING_METHODS)
  return true
}

/** Set on a parser, these hide its own methods and call the restarter instead, if the parser has one. */
const RESTARTING_METHODS: Pick<NodeParser, 'execute' | 'finish' | 'getCurrentBuffer'> & ThisType<NodeParser> =
  {
    execute(bytes) {
      const restarter = restarterOf(this)
      return restarter ? restarter.execute(bytes) : nativeOf(this).execute.call(this, bytes)
    },
    finish() {
      const restarter = restarterOf(this)
      return restarter ? restarter.finish() : nativeOf(this).finish.call(this)
    },
    getCurrentBuffer() {
      const restarter = restarterOf(this)
      return restarter ? restarter.getCurrentBuffer() : nativeOf(this).getCurrentBuffer.call(this)
    },
  }

const nativeOf = (parser: NodeParser): NodeParser => Object.getPrototypeOf(parser)

const restarterOf = ({ onIncoming }: NodeParser) => (onIncoming ? restarters.get(onIncoming) : undefined)

const isCallback = (value: unknown): value is (result: ParserResult) => void => typeof value === 'function'
