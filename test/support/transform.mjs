import swc from '@swc/jest'
import './coverage-without-debugger.mjs'

const transformer = swc.createTransformer({
  jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
  module: { type: 'es6' },
  sourceMaps: true,
})

/** Removes types. The result depends on the source alone, not on the settings of a project. */
export default {
  ...transformer,
  getCacheKey: (source, path, options) =>
    transformer.getCacheKey(source, path, { ...options, configString: '' }),
}
