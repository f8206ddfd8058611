import type { RequestHandler } from 'express'

/** Maximum number of answers to keep. */
const MAX_ANSWERS = 10
/** Maximum length of an answer, in characters. */
const MAX_ANSWER_LENGTH = 1000

/** The server's response to a file. */
export interface Answer {
  /** Distinguishes files with the same name. */
  readonly id: string
  readonly name: string
  readonly state: 'replied' | 'refused'
  /** The report, or the reason why the file was refused. */
  readonly text: string
}

/** The most recent responses to files. */
export class RecentAnswers {
  readonly #answers = new Map<string, Answer>()

  add(answer: Answer): void {
    const { id, text } = answer
    // Oldest first.
    this.#answers.delete(id)
    this.#answers.set(id, { ...answer, text: text.slice(0, MAX_ANSWER_LENGTH) })
    for (const oldest of [...this.#answers.keys()].slice(0, -MAX_ANSWERS)) this.#answers.delete(oldest)
  }

  /** Responds with the list as JSON, oldest first. */
  readonly handler: RequestHandler = (_req, res) => {
    res.set('Cache-Control', 'no-store').json([...this.#answers.values()])
  }
}
