import { createReadStream } from 'node:fs'
import { link, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { RequestHandler } from 'express'
import { BitsError } from 'express-bits-upload'
import { systemErrorCode } from './error-code.js'
import { sendErrorPage } from './error-page.js'
import type { Answer } from './recent-answers.js'
import { reportOn } from './report.js'
import { safeName } from './safe-name.js'

/**
 * Creates a handler for files that a multer engine has stored temporarily, from the form or from BITS. It reports on
 * each and removes it. `bitsUpload()` publishes the files of BITS; files of the form are published here.
 *
 * @param tell receives each report and each refusal.
 */
export function receiveFile(directory: string, tell: (answer: Answer) => void): RequestHandler {
  return async (req, res) => {
    const { file, bits } = req
    if (!file) return sendErrorPage(res, 400, 'No file was chosen.')
    const name = bits?.destination ?? safeName(file.originalname)
    const answer = { id: bits?.uploadId ?? file.filename, name }
    try {
      const text = await reportOn({ name, size: file.size, open: () => createReadStream(file.path) })
      if (!bits && !(await publish(file.path, join(directory, name)))) {
        return sendErrorPage(res, 409, 'There is a file of that name already.')
      }
      if (text !== undefined) tell({ ...answer, state: 'replied', text })
      if (bits) res.type('json').send(text)
      else res.redirect(303, '/')
    } catch (error) {
      if (error instanceof BitsError) tell({ ...answer, state: 'refused', text: error.message })
      if (bits || !(error instanceof BitsError)) throw error
      sendErrorPage(res, error.status, 'The server could not read the file. Its answers say why.')
    } finally {
      await rm(file.path, { force: true })
    }
  }
}

/**
 * Moves a complete file to its name, unless the name is taken: nothing is overwritten, and partial files are never
 * visible.
 */
async function publish(temporary: string, path: string): Promise<boolean> {
  try {
    await link(temporary, path)
    return true
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') return false
    throw error
  }
}
