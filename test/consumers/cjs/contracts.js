const { MemorySessionStore } = require('express-bits-upload')
const { sessionStoreContract } = require('express-bits-upload/testing')

sessionStoreContract(() => ({ store: new MemorySessionStore() }))
