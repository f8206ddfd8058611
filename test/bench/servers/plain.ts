import { createWriteStream } from 'node:fs'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream'
import { listen } from './listen.js'

/** A typical upload handler without a library: `plain.js <directory>`. */
const [, , directory = ''] = process.argv

listen((req, res) => {
  pipeline(req, createWriteStream(join(directory, basename(req.url ?? ''))), (error) => {
    res.statusCode = error ? 500 : 200
    res.end()
  })
})
