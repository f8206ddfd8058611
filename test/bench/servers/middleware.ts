import express from 'express'
import { bitsUpload, type Durability, FileStorage } from 'express-bits-upload'
import { expressPrototypes } from './express-prototypes.js'
import { listen } from './listen.js'

/** The contender: `middleware.js <directory> <durability> [prototypes]`. */
const [, , directory = '', durability = '', prototypes] = process.argv
const known: readonly Durability[] = ['none', 'publish', 'fragment']
const chosen = known.find((name) => name === durability)
if (!chosen) throw new TypeError(`The durability is "${durability}": use ${known.join(', ')}.`)

const app = express()
app.use('/', bitsUpload({ storage: new FileStorage({ directory, durability: chosen }) }))
listen(app, prototypes === undefined ? {} : expressPrototypes(app))
