import express from 'express'
import { bitsUpload } from 'express-bits-upload'
import { listen } from './listen.js'

/** An app with something else to do: `hello.js [directory]`; with a directory, the middleware is installed in it. */
const [, , directory] = process.argv

const app = express()
if (directory !== undefined) app.use('/uploads', bitsUpload({ directory }))
app.get('/', (_req, res) => {
  res.send('Hello')
})
listen(app)
