import type { RequestHandler } from 'express'

/** Answers that are kept. */
const MAX_ANSWERS = 10
/** Characters of an answer that the page shows. */
const MAX_ANSWER_LENGTH = 1000

/** What the server said about a file. */
export interface Answer {
  /** Distinguishes files of one name. */
  readonly id: string
  readonly name: string
  readonly state: 'replied' | 'refused'
  /** The report, or why the file was refused. */
  readonly text: string
}

/** The most recent answers to files. */
export class RecentAnswers {
  readonly #answers = new Map<string, Answer>()

  add(answer: Answer): void {
    const { id, text } = answer
    // The latest are last.
    this.#answers.delete(id)
    this.#answers.set(id, { ...answer, text: text.slice(0, MAX_ANSWER_LENGTH) })
    for (const oldest of [...this.#answers.keys()].slice(0, -MAX_ANSWERS)) this.#answers.delete(oldest)
  }

  /** Answers requests with the list as JSON, the latest last. */
  readonly handler: RequestHandler = (_req, res) => {
    res.set('Cache-Control', 'no-store').json([...this.#answers.values()])
  }
}
