import express from 'express'
import { acceptBitsPost } from 'express-bits-upload'
import { listen } from './listen.js'

/**
 * Measures the cost of three packets without any storage: an Express app that answers each with an Ack, and drops the
 * bytes.
 */
const app = express()
app.use('/', (req, res) => {
  req.resume()
  req.on('end', () => {
    const range = /(\d+)\/\d+$/.exec(req.get('Content-Range') ?? '')
    res.set({ 'BITS-Packet-Type': 'Ack', 'BITS-Session-Id': '{0}', 'Content-Length': '0' })
    if (range) res.set('BITS-Received-Content-Range', String(Number(range[1]) + 1))
    res.end()
  })
})
acceptBitsPost(listen(app))
