import { readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { uploadFile } from 'express-bits-upload/client'
import { type RunningDemo, startDemo } from './support.js'

let demo: RunningDemo
beforeEach(async () => {
  demo = await startDemo({ maxFormSize: 100_000 })
})
afterEach(() => demo.stop())

function post(content: string, name: string, headers: Record<string, string> = {}): Promise<Response> {
  const body = new FormData()
  body.append('file', new Blob([content]), name)
  return fetch(`${demo.origin}/form`, { method: 'POST', body, headers, redirect: 'manual' })
}

const stored = (name: string) => readFile(join(demo.directory, name), 'utf8')
const answers = async (): Promise<unknown> => (await fetch(`${demo.origin}/answers`)).json()

test('a file of the form lies beside those of BITS, and the page is shown again', async () => {
  const response = await post('Hello, form.', 'grüße.txt')
  expect([response.status, response.headers.get('location')]).toEqual([303, '/'])
  expect(await stored('grüße.txt')).toBe('Hello, form.')
  const files: unknown = await (await fetch(`${demo.origin}/uploads/`)).json()
  expect(files).toEqual([expect.objectContaining({ name: 'grüße.txt', size: 12 })])
  await demo.nothingLeft()
})

test('a .csv of the form gets the report that the same file gets through BITS', async () => {
  const content = 'a,b\n1,2\n'
  expect((await post(content, 'form.csv')).status).toBe(303)
  const source = await demo.write('source', content)
  const { reply } = await uploadFile(source, `${demo.origin}/uploads/bits.csv`)
  const report = (name: string) => String(reply).replace('bits.csv', name)
  expect(await answers()).toEqual([
    expect.objectContaining({ name: 'form.csv', state: 'replied', text: report('form.csv') }),
    expect.objectContaining({ name: 'bits.csv', state: 'replied', text: report('bits.csv') }),
  ])
  await demo.nothingLeft()
})

test('a malformed .xml of the form is refused with a page, and not kept', async () => {
  const response = await post('<a>', 'a.xml')
  expect(response.status).toBe(400)
  expect(await response.text()).toContain('could not read the file')
  expect(await answers()).toEqual([expect.objectContaining({ name: 'a.xml', state: 'refused' })])
  await expect(stored('a.xml')).rejects.toThrow('ENOENT')
  await demo.nothingLeft()
})

test('the name is made safe', async () => {
  await post('x', '../../BITS-Sessions')
  expect(await stored('_BITS-Sessions')).toBe('x')
})

test('a file that is there is not overwritten', async () => {
  await post('first', 'a.txt')
  const response = await post('second', 'a.txt')
  expect(response.status).toBe(409)
  expect(await response.text()).toContain('There is a file of that name already.')
  expect(await stored('a.txt')).toBe('first')
  await demo.nothingLeft()
})

test('a file that is too large is refused with a page, and not kept', async () => {
  const response = await post('x'.repeat(100_001), 'large.txt')
  expect(response.status).toBe(413)
  expect(await response.text()).toContain('too large')
  await demo.nothingLeft()
})

test('a form without a file is answered with a page', async () => {
  const response = await fetch(`${demo.origin}/form`, { method: 'POST', body: new FormData() })
  expect([response.status, response.headers.get('content-type')]).toEqual([400, 'text/html; charset=utf-8'])
})

test('a broken form is answered with a page', async () => {
  const headers = { 'Content-Type': 'multipart/form-data; boundary=x' }
  const response = await fetch(`${demo.origin}/form`, { method: 'POST', headers, body: '--x\r\nbroken' })
  expect(response.status).toBe(400)
})

test('nothing is kept of a form that breaks off', async () => {
  const headers = { 'Content-Type': 'multipart/form-data; boundary=x', 'Content-Length': 90_000 }
  const form = request({ port: demo.port, host: '127.0.0.1', path: '/form', method: 'POST', headers })
  form.on('error', () => {})
  form.write(
    `--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n${'x'.repeat(50_000)}`,
  )
  await until(async () => (await demo.leftovers()).length === 1)
  form.destroy()
  await demo.nothingLeft()
  await expect(stored('a.txt')).rejects.toThrow('ENOENT')
})

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20))
}
