import { execFile } from 'node:child_process'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from '@jest/globals'
import type express from 'express'
import { raw } from 'express'
import { bitsUpload, MemoryStorage } from 'express-bits-upload'
import { uploadFile } from 'express-bits-upload/client'
import ts from 'typescript'
import { closeSession, fragment, openSession, packet, RawConnection } from '../support/raw.js'
import { serve } from '../support/serve.js'
import { contentOf } from '../support/upload-fixture.js'
import { BLOCKS, type Block, block } from './blocks.js'
import { ROOT } from './run-block.js'
import { FILE, useWorkshop } from './use-workshop.js'

/** Below each heading the languages of its blocks. Every one has a test in this file, or in the one that is named. */
const TRIED: Readonly<Record<string, string>> = {
  'express-bits-upload': 'sh sh js sh',
  // windows.test.ts
  'From Windows': 'powershell powershell bat bat',
  'With a reply': 'bat powershell',
  // command-line.test.ts
  'Without writing an app': 'sh sh sh sh',
  'As a service of systemd': 'sh ini ini',
  'In a container': 'sh',
  Options: 'js',
  // authentication.test.ts
  'Name and password': 'js',
  Tokens: 'js powershell',
  Certificates: 'js bat',
  'Clients that authenticate once': 'js js',
  // processing-uploads.test.ts
  'In process': 'js',
  'Over HTTP': 'js js js',
  Replies: 'js ts',
  Storage: 'js',
  'Your own storage': 'ts',
  'Your own session store': 'ts ts',
  'Tests for both': 'ts',
  Events: 'js',
  // scaling.test.ts
  'Limits and housekeeping': 'js',
  'Workers of node:cluster': 'js',
  'PM2, containers, machines with one disk': 'js',
  'Machines that share nothing': 'js',
  Client: 'js',
  'Serving the files': 'js',
  // test/proxies
  'Behind a proxy': 'nginx haproxy apache caddyfile nginx',
  'Time-outs': 'js',
  'When it does not work': 'text',
  // iis-migration.test.ts, windows.test.ts
  'Moving from IIS': 'js powershell bat json sh powershell',
  Evidence: 'sh text',
}

const bench = useWorkshop()
const js = (heading: string): Block => block('js', { heading })

test('there is no block that is not tried', () => {
  const found: Record<string, string> = {}
  for (const { heading, language } of BLOCKS) {
    found[heading] = found[heading] === undefined ? language : `${found[heading]} ${language}`
  }
  expect(found).toEqual(TRIED)
})

describe('shell commands', () => {
  test('npm start and npm test are scripts of the package', async () => {
    const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
    const lines = block('sh', { containing: 'npm start' }).text.trim().split('\n')
    expect(lines.map((line) => line.replace(/ *#.*/, ''))).toEqual(['npm start', 'npm test'])
    expect(Object.keys(manifest.scripts)).toEqual(expect.arrayContaining(['start', 'test']))
    expect(
      block('sh', { heading: 'express-bits-upload', containing: 'npm install' }).text.trim().split(' '),
    ).toEqual([
      'npm',
      'install',
      manifest.name,
      ...Object.keys(manifest.peerDependencies).filter(
        (name) => !manifest.peerDependenciesMeta?.[name]?.optional,
      ),
    ])
  })
})

describe('the first example', () => {
  test('receives a file, answers curl, and logs packets as the README shows them', async () => {
    const [, variable = '', value = ''] =
      /^(\w+)=(\S+) node server\.js\n$/.exec(block('sh', { heading: 'Evidence' }).text) ?? []
    const server = await bench.workshop.serve(js('express-bits-upload'), { [variable]: value })
    const url = `${server.origin.replace('//', '//alice:pw@')}/uploads/logs/today.zip`
    await uploadFile(bench.local, url, { retries: 0 })
    expect(await bench.arrived('uploads/logs/today.zip')).toEqual(FILE)

    const curl = block('sh', { heading: 'express-bits-upload', containing: 'curl' }).text.replaceAll(
      'localhost:3000',
      `127.0.0.1:${server.port}`,
    )
    const { stdout } = await promisify(execFile)('sh', ['-c', curl])
    expect(stdout).toMatch(/^HTTP\/1\.1 200 /)
    expect(stdout).toMatch(/^BITS-Packet-Type: Ack\r$/m)

    const shown = block('text', { heading: 'Evidence' }).text
    while (!server.stderr.includes('packet 3, ')) await new Promise((resolve) => setTimeout(resolve, 10))
    // The README's path has one directory more.
    expect(withoutNumbers(server.stderr)).toContain(withoutNumbers(shown).replace('/xxxx/xxxx/', '/xxxx/'))
  })
})

/** A log without what differs from run to run. */
const withoutNumbers = (log: string): string =>
  log
    .replace(/^.*(?=express-bits-upload:packets)/gm, '')
    .replace(/\d+(?= ms)|(?<=connection )\d+|(?<=SESSION-)\d+|(?<=<host>:)\d+/g, 'N')

describe('examples that are servers', () => {
  test('Options: takes .zip files only, and replaces one that is there', async () => {
    const server = await bench.workshop.serve(js('Options'))
    await bench.upload(server, 'a.zip')
    await writeFile(bench.local, contentOf(9000))
    await bench.upload(server, 'a.zip')
    expect(await bench.arrived('inbox/a.zip')).toEqual(contentOf(9000))
    await expect(bench.upload(server, 'a.txt')).rejects.toMatchObject({ status: 403 })
  })

  test('Storage: makes no directories', async () => {
    const server = await bench.workshop.serve(js('Storage'))
    await bench.upload(server, 'a.zip')
    expect(await bench.arrived('inbox/a.zip')).toEqual(FILE)
    await expect(bench.upload(server, 'deep/a.zip')).rejects.toMatchObject({ status: 404 })
  })

  test('Your own storage and session store: go on after being killed', async () => {
    await bench.workshop.write(block('ts', { containing: 'class OneFolder ' }))
    await bench.workshop.write(block('ts', { containing: 'class OneFile' }))
    const both = block('ts', { containing: "storage: new OneFolder('./inbox')" })
    const path = '/uploads/logs/today.zip'
    const first = await bench.workshop.serve(both)
    const before = await RawConnection.open(first.port)
    const id = await openSession(before, path)
    before.write(fragment(path, id, FILE, 0, 999))
    expect((await before.ack()).header('BITS-Received-Content-Range')).toBe('1000')
    await first.stop('SIGKILL')

    const second = await bench.workshop.serve(both)
    const after = await RawConnection.open(second.port)
    after.write(fragment(path, id, FILE, 1000))
    expect((await after.ack()).header('BITS-Received-Content-Range')).toBe('4892')
    after.write(closeSession(path, id))
    expect((await after.ack()).status).toBe(200)
    after.end()
    expect(await bench.arrived('inbox/files/logs%2Ftoday.zip')).toEqual(FILE)
    expect(await readdir(join(bench.workshop.cwd, 'inbox/staged'))).toEqual([])
  })

  test('Tests for both: the two pass them', async () => {
    await bench.workshop.write(block('ts', { containing: 'class OneFolder ' }))
    await bench.workshop.write(block('ts', { containing: 'class OneFile' }))
    const { code, stdout } = await bench.workshop.run(block('ts', { heading: 'Tests for both' }))
    expect(stdout).toContain('the contract of a storage')
    expect(stdout).toContain('the contract of a session store')
    expect(stdout).toMatch(/ fail 0$/m)
    expect(code).toBe(0)
  })

  test('Events: tells what arrives, lists what is on its way, and ends in order', async () => {
    const server = await bench.workshop.serve(js('Events'))
    await bench.upload(server, 'logs/today.zip')
    const connection = await RawConnection.open(server.port)
    const id = await openSession(connection, '/uploads/b.zip')
    connection.write(fragment('/uploads/b.zip', id, FILE, 0, 99))
    await connection.ack()
    const status = await fetch(`${server.origin}/status`)
    expect(await status.json()).toMatchObject([{ destination: 'b.zip', received: 100, total: 4892 }])
    const path = join(bench.workshop.cwd, 'uploads/logs/today.zip')
    expect(server.stdout).toBe(`logs/today.zip has arrived: 4892 bytes in ${path}\n`)
    connection.end()
    expect(await server.stop('SIGTERM')).toBe(0)
  })

  test('Serving the files: serves them as downloads, and nothing that is on its way', async () => {
    const server = await bench.workshop.serve(js('Serving the files'))
    await bench.upload(server, 'logs/today.zip')
    const file = await fetch(`${server.origin}/uploads/logs/today.zip`)
    expect(Buffer.from(await file.arrayBuffer())).toEqual(FILE)
    expect(file.headers.get('content-disposition')).toBe('attachment')
    const connection = await RawConnection.open(server.port)
    await openSession(connection, '/uploads/b.zip')
    connection.end()
    const [staged = ''] = await readdir(join(bench.workshop.cwd, 'uploads/BITS-Sessions'))
    expect(staged).not.toBe('')
    for (const folder of ['BITS-Sessions', 'bits-sessions', '%42ITS-Sessions', 'x/../BITS-Sessions']) {
      expect((await fetch(`${server.origin}/uploads/${folder}/${staged}`)).status).toBe(404)
    }
  })

  test('Time-outs: keeps connections longer', async () => {
    const server = await bench.workshop.serve(js('Time-outs'))
    await bench.upload(server, 'a.zip')
    expect(await bench.arrived('uploads/a.zip')).toEqual(FILE)
    const response = await fetch(`${server.origin}/`)
    expect(response.headers.get('keep-alive')).toBe('timeout=75')
  })
})

test('the client example uploads, and tells of it', async () => {
  const storage = new MemoryStorage()
  const departments = new Set<string | undefined>()
  const server = await serve(
    { storage },
    {
      before: (app) =>
        void app.use((req, _res, next) => {
          departments.add(req.get('x-department'))
          next()
        }),
    },
  )
  try {
    const { text, language } = js('Client')
    const adapted = text.replaceAll('localhost:3000', `127.0.0.1:${server.port}`)
    const { code, stdout, stderr } = await bench.workshop.run({ text: adapted, language })
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout.trim().split('\n').at(-1)).toBe('4892 bytes uploaded')
    expect(stdout).toContain('4892 of 4892 bytes\n')
    expect(storage.files.get('logs/today.zip')).toEqual(FILE)
    expect([...departments]).toEqual(['accounting'])
  } finally {
    await server.stop()
  }
})

describe('when it does not work', () => {
  test('the log says what the README says about a body parser above', async () => {
    const before = (app: express.Express) => void app.use(raw({ type: () => true }))
    const server = await serve({ storage: new MemoryStorage() }, { before })
    try {
      const connection = await RawConnection.open(server.port)
      const id = await openSession(connection, '/uploads/a')
      connection.write(fragment('/uploads/a', id, FILE))
      expect((await connection.ack()).header('BITS-Error-Code')).toBe('0x80004005')
      connection.end()
      expect(server.logger.lines.join('\n')).toContain(
        block('text', { heading: 'When it does not work' }).text.trim(),
      )
    } finally {
      await server.stop()
    }
  })

  test('app.post() and app.all() answer 404 without BITS-Packet-Type', async () => {
    const bits = bitsUpload({ storage: new MemoryStorage() })
    const after = (app: express.Express) => {
      app.post('/posts/a', bits)
      app.all('/all/a', bits)
    }
    const server = await serve({ storage: new MemoryStorage() }, { after })
    try {
      const connection = await RawConnection.open(server.port)
      for (const path of ['/posts/a', '/all/a']) {
        connection.write(packet('Ping', path))
        const ack = await connection.ack()
        expect([ack.status, ack.header('BITS-Packet-Type')]).toEqual([404, undefined])
      }
      connection.end()
    } finally {
      await server.stop()
      await bits.close()
    }
  })

  test('without acceptBitsPost the answer is 400 without BITS-Packet-Type', async () => {
    const text = js('express-bits-upload').text.replace(
      'bitsUpload()',
      'bitsUpload({ acceptBitsPost: false })',
    )
    const server = await bench.workshop.serve({ ...js('express-bits-upload'), text })
    const connection = await RawConnection.open(server.port)
    connection.write(packet('Ping', '/uploads/a'))
    const ack = await connection.ack()
    expect([ack.status, ack.header('BITS-Packet-Type')]).toEqual([400, undefined])
  })
})

test('TypeScript blocks pass the compiler', async () => {
  const paths: string[] = []
  for (const found of BLOCKS) if (found.language === 'ts') paths.push(await bench.workshop.write(found))
  const config = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, ROOT)
  const program = ts.createProgram(paths, options)
  const problems = paths.flatMap((path) => {
    const file = program.getSourceFile(path)
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]
  })
  expect(problems.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([])
  expect(paths).toHaveLength(5)
})
