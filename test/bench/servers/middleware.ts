import express from 'express'
import { bitsUpload, type Durability, FileStorage } from 'express-bits-upload'
import { expressPrototypes } from './express-prototypes.js'
import { listen } from './listen.js'

/** The contender: `middleware.js <directory> <durability> [prototypes | recommended]`. */
const [, , directory = '', durability = '', prototypes] = process.argv
const known: readonly Durability[] = ['none', 'publish', 'fragment']
const chosen = known.find((name) => name === durability)
if (!chosen) throw new TypeError(`The durability is "${durability}": use ${known.join(', ')}.`)

const app = express()
app.use('/', bitsUpload({ storage: new FileStorage({ directory, durability: chosen }) }))
/** As the documentation recommends: Node 24 and newer do not need Express's prototypes. */
const needsPrototypes = Number(process.versions.node.split('.')[0]) < 24
const usesPrototypes = prototypes === 'prototypes' || (prototypes === 'recommended' && needsPrototypes)
listen(app, usesPrototypes ? expressPrototypes(app) : {})
