import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'
import { listen } from './listen.js'

/** Another resumable protocol: `tus.js <directory>`. Clients choose the file names. */
const [, , directory = ''] = process.argv

const tus = new Server({
  path: '/',
  datastore: new FileStore({ directory }),
  namingFunction: (_req, metadata) => metadata?.name ?? '',
})
listen((req, res) => {
  tus.handle(req, res).catch(() => res.destroy())
})
