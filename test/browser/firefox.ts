import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket } from 'ws'

/** A response of WebDriver BiDi. */
interface BidiMessage {
  readonly id?: number
  readonly result?: unknown
  readonly message?: string
}

/**
 * Headless Firefox, controlled over its built-in WebDriver BiDi: Playwright needs a Firefox of its own, and geckodriver
 * would be one more program to install.
 */
export class Firefox {
  readonly #process: ChildProcess
  readonly #profile: string
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, (message: BidiMessage) => void>()
  #lastId = 0
  #context = ''

  private constructor(process: ChildProcess, profile: string, socket: WebSocket) {
    this.#process = process
    this.#profile = profile
    this.#socket = socket
    socket.on('message', (data) => {
      const message: BidiMessage = JSON.parse(String(data))
      if (message.id !== undefined) this.#waiting.get(message.id)?.(message)
    })
  }

  static async start(program: string): Promise<Firefox> {
    const profile = await mkdtemp(join(tmpdir(), 'bits-firefox-'))
    const child = spawn(
      program,
      ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0'],
      {
        env: { ...process.env, HOME: profile },
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    )
    const socket = new WebSocket(`${await addressOf(child)}/session`)
    await once(socket, 'open')
    const firefox = new Firefox(child, profile, socket)
    await firefox.#send('session.new', { capabilities: {} })
    const tree = await firefox.#send('browsingContext.getTree', {})
    firefox.#context = textAt(tree, 'contexts', '0', 'context')
    return firefox
  }

  async open(url: string): Promise<void> {
    await this.#send('browsingContext.navigate', { context: this.#context, url, wait: 'complete' })
  }

  async reload(): Promise<void> {
    await this.#send('browsingContext.reload', { context: this.#context, wait: 'complete' })
  }

  /** Chooses a file in the only input of the page. */
  async chooseFile(path: string): Promise<void> {
    const locator = { type: 'css', value: 'input' }
    const found = await this.#send('browsingContext.locateNodes', { context: this.#context, locator })
    const element = { sharedId: textAt(found, 'nodes', '0', 'sharedId') }
    await this.#send('input.setFiles', { context: this.#context, element, files: [path] })
  }

  /** @param expression evaluates to a promise of a string. */
  async evaluate(expression: string): Promise<string> {
    const target = { context: this.#context }
    return textAt(
      await this.#send('script.evaluate', { expression, target, awaitPromise: true }),
      'result',
      'value',
    )
  }

  async stop(): Promise<void> {
    const ended = once(this.#process, 'exit')
    this.#socket.close()
    this.#process.kill('SIGKILL')
    await ended
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }

  async #send(method: string, params: object): Promise<unknown> {
    const id = ++this.#lastId
    const answer = new Promise<BidiMessage>((resolve) => this.#waiting.set(id, resolve))
    this.#socket.send(JSON.stringify({ id, method, params }))
    const { result, message } = await answer
    this.#waiting.delete(id)
    if (result === undefined) throw new Error(`${method}: ${message}`)
    return result
  }
}

/** `WebDriver BiDi listening on ws://127.0.0.1:39831` */
function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      output += text
      const address = /WebDriver BiDi listening on (ws:\S+)/.exec(output)?.[1]
      if (address !== undefined) resolve(address)
    })
    child.once('exit', () => reject(new Error(`Firefox ended: ${output}`)))
  })
}

function textAt(value: unknown, ...path: readonly string[]): string {
  const found = path.reduce(
    (inner: unknown, name) =>
      typeof inner === 'object' && inner !== null ? Reflect.get(inner, name) : undefined,
    value,
  )
  if (typeof found === 'string') return found
  throw new Error(`There is no ${path.join('.')} in ${JSON.stringify(value)}.`)
}
