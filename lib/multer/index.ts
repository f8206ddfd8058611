export type { FileDescription, MulterEngine, MulterFile } from './engine.js'
export { multerUpload } from './multer-upload.js'
export type { MulterUploadOptions } from './options.js'
