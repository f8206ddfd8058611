import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { uploadFile } from 'express-bits-upload/client'
import { reportOn } from '../../demo/report.js'
import { type RunningDemo, startDemo } from './support.js'

const MIB = 1_048_576

let demo: RunningDemo
let uploads = 0
const warnings: string[] = []
beforeAll(async () => {
  const silent = {
    info() {},
    warn: (message: string) => warnings.push(message),
    error: (message: string) => console.error(message),
  }
  demo = await startDemo({ logger: silent })
})
afterAll(() => demo.stop())

/** Uploads under a unique name. Returns the name and the reply. */
async function upload(
  extension: string,
  content: string | Buffer,
): Promise<{ name: string; reply: unknown }> {
  const source = await demo.write('source', content)
  uploads += 1
  const name = `file-${uploads}${extension}`
  const { reply } = await uploadFile(source, `${demo.origin}/uploads/${name}`, { retries: 0 })
  return { name, reply: reply && JSON.parse(reply.toString()) }
}

// HEAD: the socket of a response with an unread body would stay open.
const isPublished = async (name: string) =>
  (await fetch(`${demo.origin}/uploads/${name}`, { method: 'HEAD' })).ok

describe('a .csv gets its rows and columns as a reply', () => {
  test.each([
    ['plain', 'a,b,c\r\n1,2,3\r\n4,5,6\r\n', 2, 3, 0],
    ['without a line break at its end', 'a,b\n1,2', 1, 2, 0],
    ['with commas, quotes and line breaks in quotes', 'a,b\n"x,y","say ""no"",\nor not"\n', 1, 2, 0],
    ['with a quote in the middle', 'monitor,inch\nDell,24"\n', 1, 2, 0],
    ['with a byte order mark', '\ufeff"a","b"\r\n"1","2"\r\n', 1, 2, 0],
    ['in UTF-16', Buffer.from('\ufeffa,b\r\nä,2\r\n', 'utf16le'), 1, 2, 0],
    [
      'with a line that names the type',
      '#TYPE System.Diagnostics.Process\r\n"a","b"\r\n"1","2"\r\n',
      1,
      2,
      0,
    ],
    ['with rows of other lengths', 'a,b\n1\n1,2\n1,2,3\n', 3, 2, 2],
    ['with empty lines', 'a,b\n\n1,2\n\n\n', 1, 2, 0],
    ['with nothing but a header', 'a,b', 0, 2, 0],
    ['of bytes that are not text', Buffer.from([0, 255, 254, 10, 1, 128]), 1, 1, 0],
  ])('%s', async (_name, content, rows, columns, unevenRows) => {
    const { name, reply } = await upload('.csv', content)
    expect(reply).toEqual({ file: name, bytes: Buffer.byteLength(content), rows, columns, unevenRows })
    expect(await isPublished(name)).toBe(true)
  })
})

describe('an .xml gets its elements as a reply', () => {
  const latin1 = '<?xml version="1.0" encoding="windows-1252"?><a>\x80 \xfc</a>'
  test.each([
    ['plain', '<?xml version="1.0"?>\n<a x="1"><b/><b>t &amp; t</b><!-- c --></a>\n', 3, 2],
    ['with a namespace and a document type', '<!DOCTYPE p:a><p:a xmlns:p="urn:x"/>', 1, 1],
    ['with a byte order mark', '\ufeff<a/>', 1, 1],
    [
      'in UTF-16',
      Buffer.from('\ufeff<?xml version="1.0" encoding="utf-16"?><a><b>ä</b></a>', 'utf16le'),
      2,
      2,
    ],
    ['in windows-1252', Buffer.from(latin1, 'latin1'), 1, 1],
    ['as deep as may be', `${'<a>'.repeat(200)}${'</a>'.repeat(200)}`, 200, 200],
    ['longer than any chunk', `<a>${'<b>text</b>'.repeat(50_000)}</a>`, 50_001, 2],
  ])('%s', async (_name, content, elements, depth) => {
    const { name, reply } = await upload('.xml', content)
    expect(reply).toEqual({ file: name, bytes: Buffer.byteLength(content), elements, depth })
    expect(await isPublished(name)).toBe(true)
  })
})

describe('a malformed file is refused, and not published', () => {
  const laughs = Array.from({ length: 9 }, (_, n) => `<!ENTITY l${n + 1} "${`&l${n};`.repeat(10)}">`).join('')
  test.each([
    ['an element that is not closed', '.xml', 'unexpected close tag', '<a><b></a>'],
    ['a document that breaks off', '.xml', 'unclosed tag', '<a>'],
    ['two roots', '.xml', 'only one root', '<a/><b/>'],
    ['nothing at all', '.xml', 'must contain a root', ''],
    ['something else', '.xml', 'not well-formed, line 1, column 3: ', 'PK\x03\x04'],
    ['bytes that are not UTF-8', '.xml', 'not utf-8', Buffer.from('<a>\xff</a>', 'latin1')],
    ['half a character at the end', '.xml', 'not utf-8', Buffer.from('<a/><!--\xc3', 'latin1')],
    ['an encoding nobody knows', '.xml', 'encoding none', '<?xml version="1.0" encoding="none"?><a/>'],
    [
      'entities that multiply',
      '.xml',
      'undefined entity',
      `<!DOCTYPE a [<!ENTITY l0 "lol">${laughs}]><a>&l9;</a>`,
    ],
    [
      'an entity from a file',
      '.xml',
      'undefined entity',
      '<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/hostname">]><a>&f;</a>',
    ],
    ['elements that are too deep', '.xml', '200 deep', `${'<a>'.repeat(201)}${'</a>'.repeat(201)}`],
    ['a name without end', '.xml', 'larger than 256 KiB', `<${'a'.repeat(0.4 * MIB)}/>`],
    [
      'attributes without end',
      '.xml',
      'larger than 256 KiB',
      `<a ${Array.from({ length: 50_000 }, (_, n) => `a${n}="" `).join('')}/>`,
    ],
    ['a comment without end', '.xml', 'larger than 256 KiB', `<a><!--${'- '.repeat(0.2 * MIB)}--></a>`],
    ['a quote without end', '.csv', 'Quote Not Closed', 'a,b\n"1,2\n'],
    ['a long field', '.csv', 'larger than 256 KiB', `"${'a\n'.repeat(0.2 * MIB)}`],
    ['a long row', '.csv', 'larger than 256 KiB', ','.repeat(0.4 * MIB)],
  ])('%s (%s): %s', async (_name, extension, reason, content) => {
    await expect(upload(extension, content)).rejects.toMatchObject({
      status: 400,
      hresult: 0x80190190,
      context: 'server application',
    })
    expect(warnings.at(-1)).toContain(reason)
    await demo.nothingLeft()
    expect(await isPublished(`file-${uploads}${extension}`)).toBe(false)
  })
})

test('an empty .csv is published, and gets a reply', async () => {
  const { name, reply } = await upload('.csv', '')
  expect(reply).toMatchObject({ rows: 0 })
  expect(await isPublished(name)).toBe(true)
})

test('other files are published without a reply, whatever is in them', async () => {
  for (const extension of ['.bin', '.csv.txt', '']) {
    const { name, reply } = await upload(extension, '<a>')
    expect(reply).toBeUndefined()
    expect(await isPublished(name)).toBe(true)
  }
})

test('the case of the extension does not matter', async () => {
  expect((await upload('.CSV', 'a,b')).reply).toMatchObject({ columns: 2 })
  await demo.nothingLeft()
  await expect(upload('.XmL', '<a>')).rejects.toMatchObject({ status: 400 })
})

describe('limits', () => {
  test('a file of more than 16 MiB is not read, and gets no report', async () => {
    const open = (): Readable => {
      throw new Error('It was read.')
    }
    expect(await reportOn({ name: 'a.csv', size: 16 * MIB + 1, open })).toBeUndefined()
    await expect(reportOn({ name: 'a.csv', size: 16 * MIB, open })).rejects.toThrow('It was read.')
  })

  test('a file that takes too long is refused with 503, and not read any further', async () => {
    const endless = Readable.from(rows())
    const report = reportOn({ name: 'a.csv', size: 1, open: () => endless }, 100)
    await expect(report).rejects.toMatchObject({ status: 503, context: 0x7 })
    expect(endless.destroyed).toBe(true)
  })

  test('a disk error is not a refusal', async () => {
    const open = () => new Readable({ read: (): void => void 0 }).destroy(new Error('EIO'))
    await expect(reportOn({ name: 'a.csv', size: 1, open })).rejects.toThrow('EIO')
  })

  async function* rows(): AsyncGenerator<Buffer> {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 1))
      yield Buffer.from('1,2,3\n')
    }
  }
})
