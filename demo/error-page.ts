import type { Response } from 'express'

/** Responds with a page that contains an error message. `message` is not escaped: never pass client input. */
export function sendErrorPage(res: Response, status: number, message: string): void {
  res.status(status).send(`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Not uploaded</title>
    <link rel="icon" href="/live/icon.svg">
    <link rel="stylesheet" href="/live/style.css">
  </head>
  <body>
    <main>
      <h1>Not uploaded</h1>
      <section>
        <p>${message}</p>
        <p><a href="/">Back to the uploads</a></p>
      </section>
    </main>
  </body>
</html>
`)
}
