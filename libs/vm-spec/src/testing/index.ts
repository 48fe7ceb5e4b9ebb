export { readExample, readJsonExample, specOf } from './exampleReading.ts';
export { declareReaderContract, type ReaderContractParams, type ReaderExample } from './readerContract.ts';
