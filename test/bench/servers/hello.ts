import express, { type RequestHandler } from 'express'
import { bitsUpload } from 'express-bits-upload'
import { listen } from './listen.js'

/**
 * An app with other work to do: `hello.js [directory]`. With a directory, it contains the middleware, otherwise an
 * empty one.
 */
const [, , directory] = process.argv
const empty: RequestHandler = (_req, _res, next) => next()

const app = express()
app.use('/uploads', directory === undefined ? empty : bitsUpload({ directory }))
app.get('/', (_req, res) => {
  res.send('Hello')
})
listen(app)
