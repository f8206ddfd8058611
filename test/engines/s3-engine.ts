import { CreateBucketCommand, GetObjectCommand, S3Client } from '@aws-sdk/client-s3'

/** A local service with the S3 API. */
export interface S3Engine {
  readonly endpoint: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  stop(): Promise<void>
}

let buckets = 0

/** A client configured as services other than AWS need it. */
export const clientOf = ({ endpoint, accessKeyId, secretAccessKey }: S3Engine): S3Client =>
  new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  })

export async function newBucket(client: S3Client): Promise<string> {
  const bucket = `bits-${process.pid}-${++buckets}`
  await client.send(new CreateBucketCommand({ Bucket: bucket }))
  return bucket
}

/** The content of an object; `undefined` when there is none. */
export async function contentOf(
  client: S3Client,
  bucket: string,
  key: string,
): Promise<Uint8Array | undefined> {
  try {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
    return Body?.transformToByteArray()
  } catch {
    return undefined
  }
}
