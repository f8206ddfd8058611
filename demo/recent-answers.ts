import type { RequestHandler } from 'express'
import type { Answer } from './server-application.js'

/** Answers that are kept. */
const MAX_ANSWERS = 10
/** Characters of an answer that the page shows. */
const MAX_LENGTH = 1000

/** An answer as the page shows it. */
interface AnswerView {
  readonly uploadId: string
  readonly name: string
  readonly state: 'replied' | 'refused'
  readonly text: string
}

/** The most recent answers of the server application. */
export class RecentAnswers {
  readonly #answers = new Map<string, AnswerView>()

  add({ upload, refused, text }: Answer): void {
    const { uploadId, destination: name } = upload.session
    const state = refused ? 'refused' : 'replied'
    // The latest are last.
    this.#answers.delete(uploadId)
    this.#answers.set(uploadId, { uploadId, name, state, text: text.slice(0, MAX_LENGTH) })
    for (const oldest of [...this.#answers.keys()].slice(0, -MAX_ANSWERS)) this.#answers.delete(oldest)
  }

  /** Answers requests with the list as JSON, the latest last. */
  readonly handler: RequestHandler = (_req, res) => {
    res.set('Cache-Control', 'no-store').json([...this.#answers.values()])
  }
}
