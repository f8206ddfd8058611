import type { UploadOptions, UploadResult } from './options.js'
import { UploadJob } from './upload-job.js'
import type { UploadContent } from './upload-source.js'

/**
 * Uploads a file the way the Windows Background Intelligent Transfer Service does, and fetches the reply if there is
 * one.
 *
 * @param content the path of a local file, or bytes in memory: a Buffer, or a Blob (a `File` keeps its name).
 * @param url destination: the file's URL on the server. A user name and password in it become Basic credentials.
 * @throws TypeError for invalid options; BitsClientError when the upload fails; the reason of `signal` when that
 * aborts.
 * @example await uploadFile('logs.zip', 'https://example.org/uploads/logs.zip', { retries: 3 })
 * @example await uploadFile(Buffer.from('hello'), 'http://127.0.0.1:3000/uploads/hello.txt')
 */
export async function uploadFile(
  content: UploadContent,
  url: string | URL,
  options: UploadOptions = {},
): Promise<UploadResult> {
  return new UploadJob(content, url, options).run()
}
