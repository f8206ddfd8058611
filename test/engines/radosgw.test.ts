import { describeWithEngine } from '../support/engines.js'
import { hasRadosgw, startRadosgw } from './radosgw.js'
import { testOnEngine } from './s3-tests.js'

describeWithEngine("Ceph's radosgw", hasRadosgw, () => testOnEngine(startRadosgw))
