import { Server as HttpServer, type ServerOptions } from 'node:http'
import type { Duplex } from 'node:stream'
import { property } from '../util/property.js'
import { InMemorySocket } from './in-memory-socket.js'
import { isNodeParser } from './node-parser.js'
import type { Http1Server } from './patch-server.js'

/** What Node passes to `parser.initialize()`: kind, async resource, longest head, leniency, list of connections. */
type ParserArguments = readonly [number, object, number, number, object | undefined]

const argumentsOf = new WeakMap<object, ParserArguments>()

/**
 * The arguments with which Node initializes the parsers of this server. How lenient a parser is depends on options,
 * flags and the version of Node, so Node itself is asked, by a connection to another server with the same options.
 *
 * @throws Error when this version of Node initializes parsers in another way.
 */
export function parserArguments(server: Http1Server, socket: Duplex): ParserArguments {
  let known = argumentsOf.get(server)
  if (!known) {
    known = askNode(optionsOf(server))
    argumentsOf.set(server, known)
  }
  const [kind, , maxHeaderSize, leniency] = known
  return [kind, { type: 'HTTPINCOMINGMESSAGE', socket }, maxHeaderSize, leniency, connectionsOf(server)]
}

function askNode(options: ServerOptions): ParserArguments {
  const server = new HttpServer(options)
  const prototype: unknown = Object.getPrototypeOf(connectTo(server).parser)
  if (!isNodeParser(prototype)) throw new Error(UNKNOWN_ARGUMENTS)
  const { initialize } = prototype
  let args: readonly unknown[] = []
  prototype.initialize = function (...given) {
    args = given
    initialize.apply(this, given)
  }
  try {
    const { socket } = connectTo(server)
    if (areExpected(args, socket)) return args
    throw new Error(UNKNOWN_ARGUMENTS)
  } finally {
    prototype.initialize = initialize
  }
}

const UNKNOWN_ARGUMENTS = 'This version of Node initializes its HTTP parsers in another way.'

/** Makes a connection that ends immediately. */
function connectTo(server: HttpServer): { socket: Duplex; parser: unknown } {
  const socket = new InMemorySocket()
  server.emit('connection', socket)
  const parser = property(socket, 'parser')
  socket.destroy()
  return { socket, parser }
}

/** A server keeps the options that matter to its parsers as properties of the same names. */
function optionsOf(server: Http1Server): ServerOptions {
  const names = ['maxHeaderSize', 'insecureHTTPParser', 'httpValidation']
  return Object.fromEntries(
    names.map((name) => [name, property(server, name)]).filter(([, value]) => value !== undefined),
  )
}

function areExpected(args: readonly unknown[], socket: Duplex): args is ParserArguments {
  const [kind, resource, maxHeaderSize, leniency, connections] = args
  return (
    args.length === 5 &&
    [kind, maxHeaderSize, leniency].every(Number.isInteger) &&
    property(resource, 'type') === 'HTTPINCOMINGMESSAGE' &&
    property(resource, 'socket') === socket &&
    connections === undefined
  )
}

/** Node's name for the list of connections, the same on all servers: searching for it costs more than the access. */
let connectionsSymbol: symbol | undefined

/** The list through which Node finds requests that take too long and idle connections. A server that listens has one. */
export function connectionsOf(server: Http1Server): object | undefined {
  connectionsSymbol ??= Object.getOwnPropertySymbols(server).find(
    ({ description }) => description === 'http.server.connections',
  )
  const connections = connectionsSymbol && property(server, connectionsSymbol)
  return typeof connections === 'object' && connections !== null ? connections : undefined
}
