import { type Command, Option } from 'commander'

/** Where uploads and sessions are kept, other than in the directory. */
export function addStoreOptions(command: Command): void {
  command
    .optionsGroup('S3 and Redis:')
    .option(
      '--s3-bucket <name>',
      'store files in this bucket instead of a directory; needs the package @aws-sdk/client-s3 3 and finds ' +
        'credentials as other AWS programs do',
    )
    .option('--s3-prefix <folder>', 'folder in the bucket, for files and unfinished uploads')
    .option('--s3-region <region>', 'region of the bucket (default: AWS_REGION)')
    .option('--s3-endpoint <url>', 'URL of a service other than AWS')
    .option('--s3-path-style', 'name the bucket in the path of URLs, not in the host')
    .addOption(
      new Option(
        '--s3-assemble <how>',
        'how files are assembled: the service copies what it has received, or the bytes stream through this server, ' +
          'for Cloudflare R2 and services without UploadPartCopy (default: "copy")',
      ).choices(['copy', 'stream']),
    )
    .option(
      '--redis <url>',
      'keep the sessions in Redis, so that several servers can share them: redis://host:6379 for example, with the ' +
        'password in REDIS_PASSWORD; needs the package redis 6',
    )
    .option('--redis-prefix <text>', 'prefix of all keys in Redis (default: "bits")')
}
