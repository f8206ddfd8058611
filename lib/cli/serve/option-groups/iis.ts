import type { Command } from 'commander'
import { collect } from '../../values.js'

/** Properties of an IIS virtual directory. */
export function addIisOptions(command: Command): void {
  command
    .optionsGroup('IIS settings:')
    .option('--iis <property=value>', 'a property of an IIS virtual directory; may be repeated', collect)
    .option('--iis-file <file>', 'a JSON file with such properties')
}
