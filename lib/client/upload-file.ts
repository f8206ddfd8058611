import type { UploadOptions, UploadResult } from './options.js'
import { UploadJob } from './upload-job.js'

/**
 * Uploads a file as Windows' Background Intelligent Transfer Service does, and fetches the reply if there is one.
 *
 * @param path local file.
 * @param url destination: the file's URL on the server. A user name and password in it become Basic credentials.
 * @throws TypeError for options that make no sense; BitsClientError when the upload fails; the reason of
 * `signal` when that aborts.
 * @example await uploadFile('logs.zip', 'https://example.org/uploads/logs.zip', { retries: 3 })
 */
export async function uploadFile(
  path: string,
  url: string | URL,
  options: UploadOptions = {},
): Promise<UploadResult> {
  return new UploadJob(path, url, options).run()
}
